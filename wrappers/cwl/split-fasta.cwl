cwlVersion: v1.2
class: CommandLineTool
label: Split a FASTA file, plain or gzip, by records
doc: |
  Splits into a number of chunks of consecutive records, at most one record apart in size. Chunks without a record
  are empty files. Each has the name of the input, in a directory of its own.
baseCommand: [sh, -euc]

inputs:
  proteins:
    type: File
    inputBinding: {position: 1}
  chunks:
    type: int
    inputBinding: {position: 2}

arguments:
  - position: 0
    valueFrom: |
      gzip -cdf -- "$1" > /dev/null  # fails if the data are damaged; in a pipe nobody would know
      name=`basename "$1" .gz`
      text() {
          gzip -cdf -- "$1" | LC_ALL=C awk 'NR == 1 { sub(/^\357\273\277/, "") } begun || /[^ \t\r]/ { begun = 1; print }'
      }
      case `text "$1" | head -c 1` in
          ">" | "") ;;
          *) echo "$1: not FASTA, plain or gzip: only that can be split by records" >&2; exit 1 ;;
      esac
      records=`text "$1" | grep -c '^>' || true`
      for number in `seq "$2"`; do
          folder=`printf %05d "$number"`
          mkdir "$folder"
          : > "$folder/$name"
      done
      text "$1" | LC_ALL=C awk -v records="$records" -v chunks="$2" -v name="$name" '
          /^>/ {
              close(out)
              chunk = records > chunks ? int(done * chunks / records) : done
              out = sprintf("%05d/", chunk + 1) name
              done++
          }
          { print >> out }'
      case "$1" in *.gz) gzip [0-9]*/"$name" ;; esac
  - position: 0
    valueFrom: split-fasta

outputs:
  parts:
    type: File[]
    outputBinding: {glob: "[0-9]*/*"}
