"""The processes that open files of strangers and can do no harm, readers and Tesseract, and who gives them orders."""
