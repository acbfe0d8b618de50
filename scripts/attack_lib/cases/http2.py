def attack(book, world):
    pass  # STUB
