// Package target is the interface of the places where the lab runs, and says where the
// lab's components listen there.
//
// The services, the configuration, the traffic and the checks are the same on every
// target. Everything that sends a request to the lab takes its address from here, and a
// port is a number in this package and nowhere else.
package target

import (
	"context"
	"errors"
	"io"
)

// Names of the targets, as --target takes them.
const (
	// Local is the lab as processes on this machine.
	Local = "local"
	// Kind is the lab in a Kind cluster.
	Kind = "kind"
	// Kubernetes is the lab in a cluster that is there already.
	Kubernetes = "kubernetes"
	// InCluster is the lab in the cluster whose pod this program runs in.
	InCluster = "incluster"
)

var (
	// ErrNotUp says that no lab runs on the target.
	ErrNotUp = errors.New("the lab is not up")
	// ErrUnknownComponent says that the lab has no component of that name.
	ErrUnknownComponent = errors.New("no such component")
	// ErrUnreachable says that a program inside the target could not connect to a
	// component. A Job prints its text first, so that the `lab` outside recognizes it.
	ErrUnreachable = errors.New("no connection to")
	// ErrNotHere says that a target cannot do the command's work.
	ErrNotHere = errors.New("this target cannot do that")
)

// A Target is a place where the lab runs. Targets differ in how the lab gets there;
// the commands' output and exit codes are the same for each.
//
// A method that needs a running lab fails with [ErrNotUp] when no lab runs.
type Target interface {
	// Up brings the lab up, or replaces the changed parts of a lab that is up, and
	// returns once every component is ready.
	Up(ctx context.Context) (Summary, error)
	// Down stops the lab and says in a sentence what it did. A lab that is not up is
	// no error.
	Down(ctx context.Context) (done string, err error)
	// Reset stops the lab as Down does, and deletes the lab's data.
	Reset(ctx context.Context) (done string, err error)
	// Status asks every component whether it is ready.
	Status(ctx context.Context) (Status, error)
	// Logs writes the log of the named component to w; with follow it goes on until ctx
	// ends. It fails with [ErrUnknownComponent].
	Logs(ctx context.Context, w io.Writer, name string, follow bool) error
	// Temporary brings up a separate lab for the caller. The caller must call release,
	// which takes that lab down again; release is nil when there is an error.
	Temporary(ctx context.Context) (lab Target, release func(), err error)
	// TrafficFile is the file with the report of the last traffic; "" when the target
	// keeps no such file.
	TrafficFile() (string, error)
}

// Reachable is a target whose components this program can send requests to.
type Reachable interface {
	Target
	// Addresses says where the lab's components listen.
	Addresses(ctx context.Context) (Addresses, error)
}

// Gated is a target that lets this program reach its components only after a while, such
// as a cluster whose network plugin must first learn of a new pod.
type Gated interface {
	Reachable
	// Await returns once each of the components accepts a connection. It fails with
	// [ErrUnreachable] when that takes too long.
	Await(ctx context.Context, at Addresses, components []string) error
}

// Remote is a target whose components only a program inside can reach.
type Remote interface {
	Target
	// Execute runs `lab ARGS` inside the target and returns its output. A command that
	// ran and failed is no error: look at its exit code.
	Execute(ctx context.Context, args []string) (Executed, error)
}

// Executed is the result of a command inside a [Remote] target.
type Executed struct {
	// Output is the command's output, without the lines of progress.
	Output []byte
	// ExitCode is the command's exit code.
	ExitCode int
}

// Previewed is a target whose Up can be looked at before.
type Previewed interface {
	Target
	// Diff writes to w what Up would change, and changes nothing. It fails when something
	// is in Up's way.
	Diff(ctx context.Context, w io.Writer) error
}

// Attended is a target whose lab a program in the foreground can look after.
type Attended interface {
	Target
	// Attend looks after the lab until another program stops it, or until ctx ends:
	// then Attend stops the lab.
	Attend(ctx context.Context) error
}

// Breakable is a target whose components a program can do harm to, for a test of what the
// lab withstands. Each method works on the named components that the lab has, all at once,
// and fails with [ErrUnknownComponent] for one that it does not have. None touches anything
// but the lab's own processes or pods.
type Breakable interface {
	Target
	// Kill ends components at once, without a word to them.
	Kill(ctx context.Context, names ...string) error
	// Terminate asks components to end, and returns when they have.
	Terminate(ctx context.Context, names ...string) error
	// Freeze stops the components' processes, which keep their memory and connections;
	// Thaw lets them go on. It fails with [ErrNotHere] where the system cannot.
	Freeze(ctx context.Context, names ...string) error
	Thaw(ctx context.Context, names ...string) error
	// Mend thaws every component that is frozen and starts every one that has ended, as
	// it was started before. It returns once all are ready, and is no error for a lab
	// that is well.
	Mend(ctx context.Context) error
}

// Drainable is a target with nodes that can be emptied, as before their maintenance.
type Drainable interface {
	Breakable
	// OpenNodes is how many nodes take pods. One can be drained where there are two.
	OpenNodes(ctx context.Context) (int, error)
	// Drain ends all pods of the node that has most of the lab's components, and lets the
	// node take no others until Mend. It returns the node, and the components that had pods
	// there. It also ends the pods of others on that node.
	Drain(ctx context.Context) (node string, components []string, err error)
}

// Database is a target whose users can be backed up and restored.
type Database interface {
	Target
	// Backup writes a backup of the users to w, while the lab serves.
	Backup(ctx context.Context, w io.Writer) error
	// Restore replaces the users by those of the backup that r has, and says what that
	// means. It changes nothing when the backup is not good.
	Restore(ctx context.Context, r io.Reader) (done string, err error)
	// MigrateDatabase copies the users from the backend's SQLite file into its PostgreSQL
	// database, which must be empty, and says how many there are.
	MigrateDatabase(ctx context.Context) (done string, err error)
}

// Summary describes, for a person, a lab that has come up.
type Summary struct {
	// Headline says in a sentence what was done.
	Headline string
	// Places are the pages and interfaces that a person may open.
	Places []Place
	// Next are the commands to go on with.
	Next []Step
}

// Place is a page or an interface to open.
type Place struct {
	// Name is the component's.
	Name string
	// URL is its address, or a reason in parentheses why it has no address.
	URL string
	// About says what a person finds there.
	About string
}

// Step is a command to go on with.
type Step struct{ Command, About string }
