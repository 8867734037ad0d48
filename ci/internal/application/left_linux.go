package application

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
)

// runs tells whether a process of the group runs. Those that have ended and wait for their
// parent to notice do not: in a container without an init they wait for ever.
func runs(pgid int) bool {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// "pid (name) state ppid pgrp …", and a name may have a parenthesis.
		fields := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
		if len(fields) > 2 && string(fields[2]) == strconv.Itoa(pgid) && string(fields[0]) != "Z" && string(fields[0]) != "X" {
			return true
		}
	}
	return false
}
