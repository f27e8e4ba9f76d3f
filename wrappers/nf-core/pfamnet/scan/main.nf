process PFAMNET_SCAN {
    tag "$meta.id"
    label 'process_medium'

    conda "${moduleDir}/environment.yml"
    container "${ workflow.containerEngine in ['singularity', 'apptainer'] && !task.ext.singularity_pull_docker_container ?
        'https://depot.galaxyproject.org/singularity/pfamnet:1.0.0--pyhdfd78af_0':
        'quay.io/biocontainers/pfamnet:1.0.0--pyhdfd78af_0' }"

    input:
    tuple val(meta), path(proteins)
    path model

    output:
    tuple val(meta), path("*.tsv.gz")      , emit: tsv
    tuple val(meta), path("*.domtblout.gz"), emit: domtblout
    tuple val(meta), path("*.gff3.gz")     , emit: gff3
    tuple val("${task.process}"), val('pfamnet'), eval("pfamnet-scan --version | sed 's/^pfamnet //'"), emit: versions_pfamnet, topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args   = task.ext.args ?: ''
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    pfamnet-scan \\
        --cpu $task.cpus \\
        --no-date \\
        $args \\
        -o ${prefix}.tsv.gz \\
        --domtblout ${prefix}.domtblout.gz \\
        --gff3 ${prefix}.gff3.gz \\
        $model \\
        $proteins
    """

    stub:
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    echo "" | gzip > ${prefix}.tsv.gz
    echo "" | gzip > ${prefix}.domtblout.gz
    echo "" | gzip > ${prefix}.gff3.gz
    """
}
