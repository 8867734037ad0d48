package check

// shell returns the command that runs a line in a shell.
func shell(line string) []string { return []string{"cmd", "/C", line} }
