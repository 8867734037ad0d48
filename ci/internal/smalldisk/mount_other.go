//go:build !linux

package smalldisk

import "errors"

var errSystem = errors.New("this needs Linux")

func mountTemporary(string, int64) error { return errSystem }

func mountAgain(string, string) error { return errSystem }

func unmount(string) error { return errSystem }

// UnmountBelow takes away the file systems that are mounted in a folder: none, here.
func UnmountBelow(string) error { return nil }
