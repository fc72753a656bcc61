"""The broker's own signing keys, wrapped under the master key."""
