"""A GPT written from scratch, every part of which can be switched off."""

__version__ = "0.1.0"
