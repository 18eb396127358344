"""The forms of exported files: for each library and slot a module whose source goes into the file.

They are read, never imported, so that a library which is not installed here can be exported for all the same.
"""
