package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/snapshot"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// defaultSnapshot is the file that the page is written to unless told otherwise.
const defaultSnapshot = "lab-snapshot.html"

// toStdout is the FILE that stands for standard output.
const toStdout = "-"

// snapshotRun is a snapshot as it was asked for. flags are the same in the words of
// the command line, for a lab elsewhere.
type snapshotRun struct {
	snapshot.Options
	flags []string
}

func snapshotCommand(e *env) *cobra.Command {
	var output, png, commit string
	var last time.Duration
	var variables []string
	cmd := &cobra.Command{
		Use:   "snapshot [FILE]",
		Short: "Draw every panel of the dashboards into one HTML page",
		Long: `snapshot runs every query of every panel of the dashboards against the running lab
and draws them into one static HTML page, ` + defaultSnapshot + ` unless FILE says otherwise,
or - for standard output. The page refers to nothing outside of itself and needs no
script: it is what a person opens after a CI run, and what stands in for Grafana on
a machine that has none. With --png it is drawn as a picture too, by the Chromium or
Chrome on PATH or in $CHROME.

It prints the panels with the number of series that each query returned, and exits
with 1 when a query was not answered. A panel without data that should have some is
marked on the page; ` + "`lab verify`" + ` is what judges it.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("snapshot takes one file, but got %q", args)}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			file := defaultSnapshot
			if len(args) == 1 {
				file = args[0]
			}
			o, err := e.snapshotRun(cmd, output, last, variables)
			if err != nil {
				return err
			}
			browser := ""
			if png != "" {
				if file == toStdout {
					return usageError{fmt.Errorf("--png needs the page in a file, and - is none")}
				}
				// Found out before the work, and not after it.
				if browser, err = snapshot.FindBrowser(e.getenv("CHROME")); err != nil {
					return err
				}
			}
			if o.Commit = commit; commit == "" {
				o.Commit = e.commit(cmd.Context())
			}
			s, err := e.site()
			if err != nil {
				return err
			}
			l, err := s.snapshot(cmd.Context(), o)
			if err != nil {
				return err
			}
			return e.writeSnapshot(cmd.Context(), l, file, output, png, browser)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	cmd.Flags().StringVar(&png, "png", "", "draw the page into this `FILE` too")
	cmd.Flags().DurationVar(&last, "last", 0, "how far back to look (default as far as each dashboard does, but not before the lab's first sample)")
	cmd.Flags().StringArrayVar(&variables, "var", nil, "a value for a variable of the dashboards, `NAME=VALUE`, such as service=frontend; may be repeated")
	cmd.Flags().StringVar(&commit, "commit", "", "what the lab was built from, for the page to tell (default that of the checkout)")
	return cmd
}

// snapshotRun reads the flags.
func (e *env) snapshotRun(cmd *cobra.Command, output string, last time.Duration, variables []string) (snapshotRun, error) {
	o := snapshotRun{
		Options: snapshot.Options{Last: last, Variables: map[string]string{}, Progress: func(line string) { e.say("· " + line) }},
		flags:   given(cmd, "last"),
	}
	if err := oneOf("output", output, "table", "json"); err != nil {
		return o, err
	}
	if cmd.Flags().Changed("last") && last < time.Minute {
		return o, usageError{fmt.Errorf("--last %v: want a minute or more", last)}
	}
	for _, assignment := range variables {
		name, value, ok := strings.Cut(assignment, "=")
		if !ok || name == "" {
			return o, usageError{fmt.Errorf("--var %q: want NAME=VALUE, such as service=frontend", assignment)}
		}
		o.Variables[name] = value
		o.flags = append(o.flags, "--var="+assignment)
	}
	return o, nil
}

// commit is the checkout's commit, "" when there is none to be found: the snapshot
// is worth having all the same.
func (e *env) commit(ctx context.Context) string {
	root, err := e.root()
	if err != nil {
		return ""
	}
	out, err := exec.CommandContext(ctx, "git", "-C", root, "describe", "--always", "--dirty", "--exclude=*", "--abbrev=12").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func (s localSite) snapshot(ctx context.Context, o snapshotRun) (snapshot.Listing, error) {
	g, err := s.addresses()
	if err != nil {
		return snapshot.Listing{}, err
	}
	o.Addresses = g
	return takeSnapshot(ctx, o.Options)
}

func (s podSite) snapshot(ctx context.Context, o snapshotRun) (snapshot.Listing, error) {
	o.Addresses, o.Kubernetes = target.Cluster(), true
	return takeSnapshot(ctx, o.Options)
}

func (s kindSite) snapshot(ctx context.Context, o snapshotRun) (l snapshot.Listing, err error) {
	// The page comes in what the Job prints.
	args := append([]string{"snapshot", toStdout}, o.flags...)
	if o.Commit != "" {
		args = append(args, "--commit="+o.Commit)
	}
	return l, s.report(ctx, "snapshot", args, &l)
}

// takeSnapshot takes a snapshot and draws its page.
func takeSnapshot(ctx context.Context, o snapshot.Options) (snapshot.Listing, error) {
	taken, err := snapshot.Take(ctx, o)
	if err != nil {
		return snapshot.Listing{}, err
	}
	var page bytes.Buffer
	if err := snapshot.Write(&page, taken); err != nil {
		return snapshot.Listing{}, err
	}
	l := taken.List()
	l.Page = page.Bytes()
	return l, nil
}

// writeSnapshot writes the page and the picture and prints the list. It fails when
// a query did, once all is written.
func (e *env) writeSnapshot(ctx context.Context, l snapshot.Listing, file, output, png, browser string) error {
	page := []byte(l.Page)
	list := e.stdout
	switch {
	case file != toStdout:
		if err := os.WriteFile(file, page, 0o644); err != nil {
			return err
		}
		l.File, l.Page = file, nil
	case output == "table": // standard output is the page
		if _, err := e.stdout.Write(page); err != nil {
			return err
		}
		list = e.stderr
	}
	if png != "" {
		e.say("· drawing " + png + " with " + filepath.Base(browser))
		picture, err := snapshot.Picture(ctx, browser, file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(png, picture, 0o644); err != nil {
			return err
		}
	}
	var err error
	if output == "json" {
		err = report.EncodeJSON(list, l)
	} else {
		err = writePanels(list, l, len(page))
	}
	if err == nil && !l.OK {
		return errFailed
	}
	return err
}

// writePanels prints the panels with the number of series that they returned, then
// the errors, and last where the page is.
func writePanels(w io.Writer, l snapshot.Listing, size int) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "STATE\tDASHBOARD\tPANEL\tTYPE\tFOUND")
	var trouble []string
	for _, p := range l.Panels {
		found := 0
		for _, q := range p.Queries {
			found += q.Count
			if q.Error != "" {
				trouble = append(trouble, fmt.Sprintf("%s / %s, query %s: %s", p.Dashboard, p.Title, q.RefID, q.Error))
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\n", p.State, p.Dashboard, p.Title, p.Type, found)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(&b)
	for _, line := range trouble {
		fmt.Fprintln(&b, line)
	}
	var counts []string
	for _, state := range slices.Sorted(maps.Keys(l.Counts)) {
		counts = append(counts, fmt.Sprintf("%d %s", l.Counts[state], state))
	}
	fmt.Fprintf(&b, "%d panels: %s.\n", len(l.Panels), strings.Join(counts, ", "))
	if l.File != "" {
		fmt.Fprintf(&b, "%s, %.1f MB\n", l.File, float64(size)/1e6)
	}
	_, err := io.WriteString(w, report.Clean(b.String()))
	return err
}
