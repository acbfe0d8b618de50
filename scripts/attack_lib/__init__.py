"""What scripts/attack is made of: `book` keeps the score, `world` starts the servers, `wire`, `jose` and `h2` speak
to them byte by byte, `peers` are the servers that Tollgate asks. The attacks themselves are in `cases`, a file each
for one promise of the security bar."""
