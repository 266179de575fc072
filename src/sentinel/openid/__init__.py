"""Sign-in at an identity provider: what is asked of it, and whether what it says may be believed."""
