package cases

// Load reads the cases of files and folders, in the order of their paths. What is wrong
// with a file is a problem; the cases of the other files are still returned.
func Load(paths []string) ([]Case, []Problem) { return nil, nil }
