"""Stand-ins for what needs hardware, for tests of this project and of others."""
