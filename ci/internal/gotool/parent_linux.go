package gotool

import "syscall"

// dieWithParent interrupts the command when this process is killed.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }
