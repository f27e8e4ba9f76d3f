// Scans the proteins of one FASTA file in chunks of records, and joins the tables in order.
//
//     nextflow run example.nf --proteins proteins.fa --records 20000
//
// A chunk that fails is retried, and `-resume` scans only the chunks that are missing. The table and GFF3 are those of
// one scan. hmmscan's tables are not joined: their last lines name the chunks.
// This workflow was not run; the scripts of its processes were.

include { PFAMNET_SCAN } from './pfamnet/scan/main'

params.proteins = null
params.model    = null // a directory made by pfamnet-build, or an HMM database; null: the model that ships with pfamnet
params.records  = 20000 // proteins in a chunk
params.outdir   = '.'

// a table of one header, from one that has a header for each chunk
process ONE_HEADER {
    publishDir params.outdir

    input:
    path joined, stageAs: 'joined/*'

    output:
    path "$joined.name"

    script:
    """
    gzip -cd $joined | awk 'NR == 1 || !/^(#target_name\\t|##gff-version )/' | gzip -n > $joined.name
    """
}

workflow {
    chunks = channel.fromPath(params.proteins, checkIfExists: true)
        .splitFasta(by: params.records, file: true)
        .map { chunk -> [[id: chunk.baseName], chunk] }
    model = params.model ? file(params.model, checkIfExists: true) : []

    PFAMNET_SCAN(chunks, model)

    // chunks are named NAME.1, NAME.2, ...; gzip files may be concatenated
    order = { table -> table.name.tokenize('.')[-3] as int }
    tsv   = PFAMNET_SCAN.out.tsv.map { _meta, table -> table }.collectFile(name: 'hits.tsv.gz', sort: order)
    gff3  = PFAMNET_SCAN.out.gff3.map { _meta, table -> table }.collectFile(name: 'hits.gff3.gz', sort: order)
    ONE_HEADER(tsv.mix(gff3))
}
