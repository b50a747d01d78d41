"""HTTP and WebSocket: what a browser, a script and another program reach; one gate stands before all of it."""
