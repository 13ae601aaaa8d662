"""Where processes begin: settings, the bootstrap that wires, one thin file for each process."""
