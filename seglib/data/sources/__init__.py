"""Other people's data sets: where they are, how they are fetched, read and brought into one format.

`catalogue` knows them, `fetch` gets their files, `published`, `generic` and `annotations` read
those as their authors left them, `prepare` writes the one format of `seglib.data.dataset`, and
`tables` leads out of it again. `seglib.data` hands on what readers call: `list`, `fetch`,
`prepare`, `to_numpy` and their like.

Chapter: data preparation.
"""
