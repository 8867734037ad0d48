package bench

import "os/exec"

func ownGroup(*exec.Cmd) {}

func askToEnd(cmd *exec.Cmd) { kill(cmd) } // no signal asks a process to end here

func kill(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
