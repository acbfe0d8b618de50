"""The attacks, a module each for one part of the security bar. `attack(book, world)` of each is called in this order;
what waits for deadlines comes first, since it runs beside the rest."""
from . import (admin, arguments, caps, deadlines, denials, edge, floods, framing, http2, inert, keys, opaque, policy, protocol, spoken, start, stdio, tls, tokens)

ALL = (deadlines, http2, tls, admin, start, tokens, keys, opaque, floods, edge, framing, caps, protocol, arguments, spoken, policy, denials, inert, stdio)
