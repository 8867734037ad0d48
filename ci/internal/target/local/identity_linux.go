package local

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// startOf names the start of the process with this id in a way that no clock moves:
// the boot of the machine, and the ticks from then to the start. It is "" when there is
// no such process any more, or the system does not tell.
//
// The start in wall-clock time is made of the boot's, which moves when the clock is set
// and when the machine sleeps.
func startOf(pid int) string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	// proc_pid_stat(5): the name, field 2, is in parentheses and may have any
	// character; field 3 is the state, 22 the start.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	return strings.TrimSpace(string(boot)) + " " + fields[19]
}
