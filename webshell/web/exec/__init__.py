"""``/popen`` and ``/exec/ID``: processes over HTTP by byte offsets; see docs/protocol.rst, Processes over HTTP."""
