package application

import "syscall"

// dieWithParent asks the application to end when this program is killed.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGTERM }
