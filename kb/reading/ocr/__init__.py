"""The scans among the pages of a PDF, on the side of the reader: Tesseract itself runs elsewhere, see `confined`."""
