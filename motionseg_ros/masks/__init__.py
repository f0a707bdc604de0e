"""Maskers: from prompts to one dense mask per object."""
