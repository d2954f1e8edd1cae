"""The page: a Gradio app that drives the GPT module. `gpt` never knows it."""
