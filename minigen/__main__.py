"""`python -m minigen` is `minigen`: torchrun wants a module."""

from minigen.cli import main

if __name__ == "__main__":
    main()
