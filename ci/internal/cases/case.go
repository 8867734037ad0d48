// Package cases reads acceptance cases: files that say how an application is driven and
// which telemetry it must then have sent.
//
// The format is that of grafana/oats, versions 3 and 2, with keys of our own for what
// that format lacks. docs/cases.md explains every key; schema.json is the grammar.
package cases

import (
	"fmt"
	"path/filepath"
	"time"
)

// Case is one acceptance case.
type Case struct {
	Name string
	Tags []string
	// Interval is the pause between two questions; 0 is for the runner to choose.
	Interval time.Duration
	Fixture  Fixture
	// Run is the application as a command; nil when the case starts none.
	Run      *Run
	Seed     Seed
	Input    []Input
	Expected Expected
	// At is the beginning of the case in its file.
	At Position
	// Version is the version of the format that the file has, 2 or 3.
	Version int
}

// Dir is the folder of the case's file. Relative paths in the case start there.
func (c Case) Dir() string { return filepath.Dir(c.At.File) }

// Position is a place in a file. Lines and columns count from 1.
type Position struct {
	File         string
	Line, Column int
}

func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Problem is what is wrong with a file.
type Problem struct {
	At Position
	// Key is the path of the key that is wrong, such as "expected.traces[0].traceql"; ""
	// when the file as a whole is wrong.
	Key string
	// Message says what is wrong and what would be right.
	Message string
}

func (p Problem) Error() string {
	if p.Key == "" {
		return p.At.String() + ": " + p.Message
	}
	return fmt.Sprintf("%s: %s: %s", p.At, p.Key, p.Message)
}

// FixtureKind is what the application and the stores run on.
type FixtureKind string

// The kinds of fixture. A case without a fixture has kind "".
const (
	Remote  FixtureKind = "remote"
	Compose FixtureKind = "compose"
	K3D     FixtureKind = "k3d"
)

// Fixture is what the application and the stores run on.
type Fixture struct {
	Kind FixtureKind
	At   Position

	// Endpoint is the remote fixture's OTLP endpoint. The lab that is up takes its place.
	Endpoint string

	// Template, Files, Env, AppService and AppPort are the compose fixture's. Template
	// is "lgtm" or "none". Files are relative to the case's folder. Env has NAME=value.
	Template   string
	Files      []string
	Env        []string
	AppService string
	AppPort    int

	// Cluster is the k3d fixture's.
	Cluster *Cluster
}

// StackOnly reports whether the fixture is nothing but a stack that stores telemetry.
// The lab that is up is such a stack.
func (f Fixture) StackOnly() bool {
	return f.Kind == "" || f.Kind == Remote || f.Kind == Compose && f.Template != "none" && len(f.Files) == 0
}

// Cluster is an application in a k3d cluster. Paths are relative to the case's folder.
type Cluster struct {
	K8sDir           string
	AppService       string
	AppDockerFile    string
	AppDockerContext string
	AppDockerTag     string
	AppPort          int
	ImportImages     []string
	PoolSize         int
}

// Run is an application that the case starts as a command.
type Run struct {
	At Position
	// Command is the program and its arguments. One element, with Shell set, is a line
	// for the shell.
	Command []string
	Shell   bool
	// Dir is where the command starts, relative to the case's folder; "" is that folder.
	Dir string
	// Env are environment variables beside those that the lab sets.
	Env map[string]string
	// Ready is the URL that answers when the application is ready; "" when there is none.
	// ${PORT} stands for the free port that the runner chooses, here, in Command and Env.
	Ready string
	// Service is the service's name; "" is for the runner to choose.
	Service string
	// Protocol is grpc, http/protobuf or http/json; "" is for the runner to choose.
	Protocol string
}

// Seed is telemetry that the case sends itself.
type Seed struct {
	// Inline is set for seed.type inline-otlp. Otherwise the application sends.
	Inline  bool
	Traces  []SeedTrace
	Logs    []SeedLog
	Metrics []SeedMetric
}

// SeedTrace is spans to send. Each span is a trace of its own, as OATS sends them.
type SeedTrace struct {
	Service string
	Spans   []SeedSpan
}

// SeedSpan is a span to send.
type SeedSpan struct {
	Name string
	// Kind is OTLP's number; 0 in the file is 1 (INTERNAL) here.
	Kind int
	// Duration is 200 ms when the file says nothing.
	Duration time.Duration
}

// SeedLog is a log record to send. The severity is INFO (9) when the file says nothing.
type SeedLog struct {
	Service        string
	Body           string
	SeverityNumber int
	SeverityText   string
}

// SeedMetric is a monotonic cumulative sum to send.
type SeedMetric struct {
	Service string
	Name    string
	Value   int64
}

// Input is something that drives the application, once, before the questions: requests
// to it, or a command in a container.
type Input struct {
	At Position
	// Scheme is http or https, Host a name or an address; "" is for the runner to choose.
	Scheme, Host string
	Method       string
	Path         string
	Headers      map[string]string
	Body         string
	// Status is the answer that must come, 200 when the file says nothing.
	Status int
	// Retry is nil when a wrong answer ends the case.
	Retry *Retry
	// Count is the number of requests, at least 1.
	Count int
	// Rate is the number of requests a second; 0 sends one after the other.
	Rate float64
	// Container is a command in a container of the compose fixture; the fields above
	// are zero beside it.
	Container *ContainerInput
}

// Retry repeats a request until its answer is right. Zero values are for the runner to
// choose.
type Retry struct {
	Timeout  time.Duration
	Interval time.Duration
}

// ContainerInput is a command in a container of the compose fixture.
type ContainerInput struct {
	Service string
	Command []string
}
