"""Content by its digest: a store on a file system, and what may be fetched into it."""
