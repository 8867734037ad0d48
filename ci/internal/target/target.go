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
	// InCluster is the lab around the pod that this program runs in.
	InCluster = "incluster"
)

var (
	// ErrNotUp says that the target holds no lab that runs.
	ErrNotUp = errors.New("the lab is not up")
	// ErrUnknownComponent says that the lab has no component of that name.
	ErrUnknownComponent = errors.New("no such component")
	// ErrUnreachable says that no connection to a component came about from inside the
	// target. Its text begins what a Job prints, and tells whoever has started the Job.
	ErrUnreachable = errors.New("no connection to")
	// ErrNotHere says that a target cannot do what it was asked to.
	ErrNotHere = errors.New("this target cannot do that")
)

// A Target is a place where the lab runs. Targets differ in how the lab gets there;
// what the commands print and how they exit is the same for each.
//
// A method that needs a running lab fails with [ErrNotUp] when there is none.
type Target interface {
	// Up brings the lab up, or replaces what has changed of a lab that is up, and
	// returns once every component is ready.
	Up(ctx context.Context) (Summary, error)
	// Down stops the lab and says in a sentence what it did. It is no error when
	// the lab is not up.
	Down(ctx context.Context) (done string, err error)
	// Reset does what Down does, and deletes the lab's data.
	Reset(ctx context.Context) (done string, err error)
	// Status asks every component how it is.
	Status(ctx context.Context) (Status, error)
	// Logs writes to w what the named component has printed; with follow it goes on
	// until ctx ends. It fails with [ErrUnknownComponent].
	Logs(ctx context.Context, w io.Writer, name string, follow bool) error
	// Temporary brings up a lab of its own for the caller. release takes it down
	// again and must be called; it is nil when there is an error.
	Temporary(ctx context.Context) (lab Target, release func(), err error)
	// TrafficFile is the file that keeps the report of the last traffic; "" when
	// the target keeps none.
	TrafficFile() (string, error)
}

// Reachable is a target whose components this program reaches by itself.
type Reachable interface {
	Target
	// Addresses says where the lab's components listen.
	Addresses(ctx context.Context) (Addresses, error)
}

// Gated is a target that may let this program in to its components only after a
// while, such as a cluster whose network policies must learn of a new pod.
type Gated interface {
	Reachable
	// Await returns once every one of the components takes a connection. It fails with
	// [ErrUnreachable] when that takes too long.
	Await(ctx context.Context, at Addresses, components []string) error
}

// Remote is a target whose components only a program inside can reach.
type Remote interface {
	Target
	// Execute runs `lab ARGS` inside and returns what it printed. A command that
	// ran and failed is no error; its exit code tells.
	Execute(ctx context.Context, args []string) (Executed, error)
}

// Executed is what a command inside a [Remote] target has left.
type Executed struct {
	// Output is what it printed, without the lines of progress.
	Output []byte
	// ExitCode is its exit code.
	ExitCode int
}

// Attended is a target whose lab a program in the foreground can look after.
type Attended interface {
	Target
	// Attend looks after the lab until ctx ends, and then stops it; or until
	// another program has stopped it.
	Attend(ctx context.Context) error
}

// Summary is what a person wants to know of a lab that has come up.
type Summary struct {
	// Headline says in a sentence what was done.
	Headline string
	// Places are what a person may open.
	Places []Place
	// Next are commands to go on with.
	Next []Step
}

// Place is something to open.
type Place struct {
	// Name is the component's.
	Name string
	// URL is its address, or, in parentheses, why there is none.
	URL string
	// About says what is there.
	About string
}

// Step is a command to go on with.
type Step struct{ Command, About string }
