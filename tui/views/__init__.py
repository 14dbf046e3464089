"""The views of the main screen, one for each key from 1 on."""
