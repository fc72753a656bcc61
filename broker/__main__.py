"""The command `broker`, also `python -m broker`."""

from broker.cli.app import app


def main() -> None:
    """Run the command line."""
    app(prog_name="broker")


if __name__ == "__main__":
    main()
