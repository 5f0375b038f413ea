package event

// Kind is the value of the JSON field "type".
func (*Repository) Kind() string          { return KindRepository }
func (*Branch) Kind() string              { return KindBranch }
func (*Commit) Kind() string              { return KindCommit }
func (*ChangeRequest) Kind() string       { return KindChangeRequest }
func (*PipelineRun) Kind() string         { return KindPipelineRun }
func (*Artifact) Kind() string            { return KindArtifact }
func (*Team) Kind() string                { return KindTeam }
func (*Person) Kind() string              { return KindPerson }
func (*Membership) Kind() string          { return KindMembership }
func (*Service) Kind() string             { return KindService }
func (*Ownership) Kind() string           { return KindOwnership }
func (*Deployment) Kind() string          { return KindDeployment }
func (*Incident) Kind() string            { return KindIncident }
func (*ProvisioningRequest) Kind() string { return KindProvisioningRequest }
func (*CapabilityUse) Kind() string       { return KindCapabilityUse }
func (*CapabilityExemption) Kind() string { return KindCapabilityExemption }
func (*Survey) Kind() string              { return KindSurvey }
func (*SurveyInvitation) Kind() string    { return KindSurveyInvitation }
func (*SurveyResponse) Kind() string      { return KindSurveyResponse }
func (*SLO) Kind() string                 { return KindSLO }

// MarshalJSON writes the event as AppendJSON does.
func (e *Repository) MarshalJSON() ([]byte, error)          { return AppendJSON(nil, e), nil }
func (e *Branch) MarshalJSON() ([]byte, error)              { return AppendJSON(nil, e), nil }
func (e *Commit) MarshalJSON() ([]byte, error)              { return AppendJSON(nil, e), nil }
func (e *ChangeRequest) MarshalJSON() ([]byte, error)       { return AppendJSON(nil, e), nil }
func (e *PipelineRun) MarshalJSON() ([]byte, error)         { return AppendJSON(nil, e), nil }
func (e *Artifact) MarshalJSON() ([]byte, error)            { return AppendJSON(nil, e), nil }
func (e *Team) MarshalJSON() ([]byte, error)                { return AppendJSON(nil, e), nil }
func (e *Person) MarshalJSON() ([]byte, error)              { return AppendJSON(nil, e), nil }
func (e *Membership) MarshalJSON() ([]byte, error)          { return AppendJSON(nil, e), nil }
func (e *Service) MarshalJSON() ([]byte, error)             { return AppendJSON(nil, e), nil }
func (e *Ownership) MarshalJSON() ([]byte, error)           { return AppendJSON(nil, e), nil }
func (e *Deployment) MarshalJSON() ([]byte, error)          { return AppendJSON(nil, e), nil }
func (e *Incident) MarshalJSON() ([]byte, error)            { return AppendJSON(nil, e), nil }
func (e *ProvisioningRequest) MarshalJSON() ([]byte, error) { return AppendJSON(nil, e), nil }
func (e *CapabilityUse) MarshalJSON() ([]byte, error)       { return AppendJSON(nil, e), nil }
func (e *CapabilityExemption) MarshalJSON() ([]byte, error) { return AppendJSON(nil, e), nil }
func (e *Survey) MarshalJSON() ([]byte, error)              { return AppendJSON(nil, e), nil }
func (e *SurveyInvitation) MarshalJSON() ([]byte, error)    { return AppendJSON(nil, e), nil }
func (e *SurveyResponse) MarshalJSON() ([]byte, error)      { return AppendJSON(nil, e), nil }
func (e *SLO) MarshalJSON() ([]byte, error)                 { return AppendJSON(nil, e), nil }
