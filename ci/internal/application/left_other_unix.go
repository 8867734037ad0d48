//go:build unix && !linux

package application

// runs returns true: a group that is there is taken for one that runs.
func runs(int) bool { return true }
