"""Excel workbooks and PowerPoint presentations; Word files have a package of their own."""
