"""further-link's addresses: ``/run``, ``/run-py``, ``/status``, ``/version``, ``/runners`` and ``/upload``."""
