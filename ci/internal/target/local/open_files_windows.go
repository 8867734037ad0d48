package local

// openFilesLimit is 0: Windows has no such limit.
func openFilesLimit() uint64 { return 0 }
