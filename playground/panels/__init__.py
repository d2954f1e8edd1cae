"""The regions of the page: each module builds the components of one and returns them."""
