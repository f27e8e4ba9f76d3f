cwlVersion: v1.2
class: CommandLineTool
label: Build a pfamnet model
doc: Trains the networks, builds the profile HMMs and writes one model directory, complete or not at all.
baseCommand: pfamnet-build

hints:
  SoftwareRequirement:
    packages:
      pfamnet:
        version: ["1.0.0"]
  ResourceRequirement:
    coresMin: 2
    ramMin: 8192

inputs:
  trainsets:
    type:
      - type: array
        items: [File, Directory]
    doc: The Pfam seed split, Stockholm alignments, labelled FASTA, or full-length proteins with domains.
    inputBinding: {position: 2}
  name:
    type: string
    default: model
    doc: Name of the model directory.
    inputBinding: {position: 1}
  domains:
    type: File?
    doc: Table of the domains of full-length proteins (protein, start, end, accession).
    inputBinding: {prefix: --domains}
  families:
    type: File?
    doc: Table of names, clans and descriptions.
    inputBinding: {prefix: --families}
  profiles:
    type: File?
    doc: Profiles with their gathering cutoffs, instead of ones built from the train sets.
    inputBinding: {prefix: --hmm}
  max_families:
    type: int?
    doc: Keep the families with the most rows.
    inputBinding: {prefix: --max-families}
  base:
    type: Directory?
    doc: ESM-2 to fine-tune, in Hugging Face layout; without it only the light network is trained.
    inputBinding: {prefix: --base}
  light_residues:
    type: long?
    doc: Residues to train the light network on.
    inputBinding: {prefix: --light-residues}
  device:
    type: string?
    doc: cpu, cuda or auto.
    inputBinding: {prefix: --device}
  license:
    type: string?
    doc: Licence of the model.
    inputBinding: {prefix: --license}
  seed:
    type: long?
    doc: Seed of everything random.
    inputBinding: {prefix: --seed}

arguments:
  - prefix: --cpu
    valueFrom: $(runtime.cores)

outputs:
  model:
    type: Directory
    outputBinding: {glob: $(inputs.name)}
