"""Other people's data sets: where they are, how they are fetched, read and brought into one format.

`catalogue` knows and fetches them, `published`, `generic` and `annotations` read what their authors
left, and `prepare` writes the one format of `seglib.data.dataset`. `seglib.data` hands on what
readers call: `list`, `fetch`, `prepare`, `to_numpy` and their like.

Chapter: data preparation.
"""
