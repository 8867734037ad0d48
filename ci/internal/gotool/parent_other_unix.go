//go:build unix && !linux

package gotool

import "syscall"

// dieWithParent does nothing: only Linux can tie a child to its parent's life.
// A compile that outlives its parent ends by itself and is then not used.
func dieWithParent(*syscall.SysProcAttr) {}
