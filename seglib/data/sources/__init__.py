"""Other people's data sets: where they are, how they are fetched, read and brought into one format.

`catalogue` knows them, `fetch` gets their files, `layouts` reads those as the authors left them,
`prepare` writes the one format of `seglib.data.dataset`, and `export` leads out of it again.
`seglib.data` hands on what readers call: `list`, `fetch`, `prepare`, `to_numpy` and their like.

Chapter: data preparation.
"""
