"""Inventories of others' identities, as large as one likes."""


def inventory(rows: int) -> str:
    """An inventory, with a bad row in each thousand."""
    lines = ["kind,name,owner,purpose,environment,credential,credential_since,review_by,ends_at"]
    for number in range(rows):
        kind = "nothing" if number % 1000 == 7 else "api-key"
        lines.append(
            f"{kind},team-{number % 97}/key-{number:06},ada,job {number},production,api-key,"
            "2025-03-01,2097-01-01,2098-01-01"
        )
    return "\n".join(lines)
