"""What runs inside the sandbox. It holds no answer, and imports nothing of minigen but `probing`."""
