"""The one folder in which runs and downloaded texts are kept. No torch here."""

import os
from pathlib import Path


def home() -> Path:
    """GPT_PLAYGROUND_HOME, else .gpt-playground in the user's home folder."""
    folder = Path(os.environ.get("GPT_PLAYGROUND_HOME") or Path.home() / ".gpt-playground").expanduser()
    return folder
