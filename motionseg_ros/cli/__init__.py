"""The command ``motionseg``."""

from ..core.process import prepare_process

prepare_process()
