package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

func statusCommand(e *env) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the state of every component",
		Long: `status asks every component whether it is ready, and shows its processes or pods with
their memory, and its address. It exits with 1 when the lab is not up or a component is
not ready.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("output", output, "table", "json"); err != nil {
				return err
			}
			t, err := e.lab()
			if err != nil {
				return err
			}
			s, err := t.Status(cmd.Context())
			if err != nil {
				return err
			}
			if output == "json" {
				err = report.Encode(e.stdout, kindStatus, s)
			} else {
				err = statusTable(e.stdout, s, time.Now())
			}
			if err == nil && !s.Ready {
				return errFailed
			}
			return err
		},
	}
	e.registerTarget(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

// statusTable prints a row for each process or pod, and a sentence about the whole.
func statusTable(w io.Writer, s target.Status, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "COMPONENT\tREADY\tINSTANCE\tSTATE\tRESTARTS\tMEMORY\tAGE\tADDRESS")
	open := 0
	for _, c := range s.Components {
		if c.State != target.Ready {
			open++
		}
		name, ready, url := c.Name, fmt.Sprintf("%d/%d", c.Ready, c.Desired), c.URL
		if len(c.Instances) == 0 {
			fmt.Fprintf(t, "%s\t%s\t–\t%s\t\t\t\t%s\n", name, ready, c.State, url)
		}
		for _, i := range c.Instances {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", name, ready, instance(i), i.State, i.Restarts, memory(i), age(i.Started, now), url)
			name, ready, url = "", "", ""
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, c := range s.Components {
		for _, i := range c.Instances {
			if i.Detail != "" {
				fmt.Fprintf(w, "%s: %s\n", i.Name, i.Detail)
			}
		}
	}
	if f := s.Forward; f != nil {
		fmt.Fprintf(w, "The copy for another endpoint: sent %s; given up %s; %.1f of %.1f MiB wait.\n",
			items(f.Sent), items(f.GivenUp), float64(f.QueueBytes)/(1<<20), float64(f.QueueCapacityBytes)/(1<<20))
	}
	what := "Everything is ready"
	switch {
	case len(s.Components) == 0:
		what = "There is a cluster, but no lab in it yet"
	case open > 0:
		what = fmt.Sprintf("%d of %d components are not ready", open, len(s.Components))
	}
	_, err := fmt.Fprintf(w, "%s; %d MB of memory in all.\n", what, s.MemoryBytes>>20)
	return err
}

// items names the numbers of spans, log records and metric points.
func items(n target.Items) string {
	if n == (target.Items{}) {
		return "nothing"
	}
	return fmt.Sprintf("%d spans, %d log records, %d metric points", n.Spans, n.LogRecords, n.MetricPoints)
}

// instance names a process by its id, and a pod by its name.
func instance(i target.Instance) string {
	if i.PID != 0 {
		return fmt.Sprintf("process %d", i.PID)
	}
	return i.Name
}

// memory returns the instance's memory in MB, or "–" when it was not measured.
func memory(i target.Instance) string {
	if i.MemoryBytes == 0 {
		return "–"
	}
	return fmt.Sprintf("%d MB", i.MemoryBytes>>20)
}

// age returns the time since then, in its largest unit.
func age(since, now time.Time) string {
	d := now.Sub(since)
	switch {
	case since.IsZero():
		return "–"
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0fm", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0fh", d.Hours())
	}
	return fmt.Sprintf("%.0fd", d.Hours()/24)
}
