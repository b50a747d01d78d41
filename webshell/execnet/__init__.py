"""execnet's gateways and what its wish list asked for, with the released package as it is."""
