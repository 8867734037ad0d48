package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/certificates"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/filelock"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// certificatesFlags are the flags of certificates.
type certificatesFlags struct {
	certificates.Options
	renew, all bool
	output     string
}

func certificatesCommand(e *env) *cobra.Command {
	var f certificatesFlags
	cmd := &cobra.Command{
		Use:   "certificates",
		Short: "Make and renew the certificates of a lab whose connections are mutual TLS",
		Long: `certificates makes an authority and a certificate for each component of the lab, for the
lab's commands (client) and for applications (application), in the folder certificates of
the lab's folder. What is there and in order stays; what is missing or broken is made.
NAME/tls.crt, tls.key and ca.crt are named as in a Kubernetes Secret.

--renew issues anew what has less than a third of its time left, --renew --all everything,
by the same authority and for the same keys. Each file is replaced in one step.

The authority may sign only the names of the lab's components, localhost, 127.0.0.1, ::1
and those of --name. Keep ca.key secret: who has it can make certificates.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("output", f.output, "table", "json"); err != nil {
				return err
			}
			set, err := e.certificates(cmd.Context(), f)
			if err != nil {
				return err
			}
			if f.output == "json" {
				return report.Encode(e.stdout, kindCertificates, set)
			}
			return certificatesTable(e.stdout, set)
		},
	}
	e.registerDir(cmd)
	flags := cmd.Flags()
	flags.DurationVar(&f.Valid, "valid", certificates.Usual, "how long a new certificate is valid, from 1m to 19800h (825 days)")
	flags.StringArrayVar(&f.Names, "name", nil, "a further `NAME` of every component that serves: a DNS name or an IP address; may be repeated")
	flags.BoolVar(&f.renew, "renew", false, "issue anew what has less than a third of its time left")
	flags.BoolVar(&f.all, "all", false, "with --renew: issue everything anew")
	flags.StringVarP(&f.output, "output", "o", "table", "table or json")
	onlyWith(flags, "renew", "all")
	return cmd
}

// certificates makes what the flags want, while no other `lab` changes the lab.
func (e *env) certificates(ctx context.Context, f certificatesFlags) (set certificates.Set, err error) {
	if f.Valid < certificates.Least || f.Valid > certificates.Most {
		return set, usageError{fmt.Errorf("--valid %v: want from %v to %v", f.Valid, certificates.Least, certificates.Most)}
	}
	switch {
	case f.all:
		f.Renew = certificates.All
	case f.renew:
		f.Renew = certificates.Due
	}
	dir, err := e.labDir()
	if err != nil {
		return set, err
	}
	folder, err := labdir.Claim(dir)
	if err != nil {
		return set, err
	}
	unlock, err := filelock.Acquire(ctx, filepath.Join(folder.Path, "lock"), func() { e.say(filelock.Waiting("the lab in " + folder.Path)) })
	if err != nil {
		return set, err
	}
	defer unlock()
	set, err = certificates.Make(folder, f.Options)
	if _, ok := errors.AsType[certificates.OptionError](err); ok {
		err = usageError{err}
	}
	return set, err
}

// certificatesTable prints a row for each certificate.
func certificatesTable(w io.Writer, set certificates.Set) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tISSUED\tUNTIL\tSERIAL\tNAMES")
	for _, c := range append([]certificates.Certificate{set.Authority}, set.Certificates...) {
		issued := "–"
		if c.Issued {
			issued = "now"
		}
		names := strings.Join(c.Names, " ")
		if len(names) == 0 {
			names = "–"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.16s\t%s\n", c.Name, issued, c.NotAfter.Format(time.RFC3339), c.Serial, names)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nThey are in %s.\n", set.Path)
	return err
}
