using Dori.Locality;
using Dori.Measures;

namespace Dori.Tests.Locality;

public class LocalityVerdictsTests
{
    private static Comparison Of(double low, double high, double p = 0.001) => new((low + high) / 2, low, high, p);

    private static InputSpace Input(Comparison captions, Comparison starts, Comparison others, double silhouette) => new()
    {
        Verdict = LocalityVerdicts.Input(1, null), Pictures = [], Captions = 10, AgainstCaptions = captions, AgainstStarts = starts,
            AgainstOthers = others, SilhouetteByPicture = silhouette,
        NeighboursByPicture = new NeighbourTest(0.5, 0.2, 0.01),
    };

    [Fact]
    public void Without_triggers_nothing_is_decided()
    {
        Assert.Equal("undecided", LocalityVerdicts.Input(1, null).Outcome);
        Assert.Equal("undecided", LocalityVerdicts.Activation([]).Outcome);
        Assert.Equal("undecided", LocalityVerdicts.Weight([]).Outcome);
    }

    [Fact]
    public void Embeddings_one_cluster_or_none_or_neither()
    {
        Assert.Equal("supported", LocalityVerdicts.Input(2, Input(Of(0.3, 0.5), Of(0.2, 0.4), Of(0.3, 0.4), 0.6)).Outcome);
        Assert.Equal("refuted", LocalityVerdicts.Input(2, Input(Of(1.2, 1.5), Of(1.0, 1.2), Of(0.9, 1.0), 0.1)).Outcome);
        Assert.Equal("undecided", LocalityVerdicts.Input(2, Input(Of(0.9, 1.5), Of(0.9, 1.2), Of(0.9, 1.1), 0.1)).Outcome);
        // as spread as its starts
        Assert.Equal("undecided", LocalityVerdicts.Input(2, Input(Of(0.3, 0.5), Of(0.9, 1.1), Of(0.3, 0.4), 0.6)).Outcome);
        // a structure that lies wide
        Assert.Equal("undecided", LocalityVerdicts.Input(2, Input(Of(1.2, 1.5), Of(1.0, 1.2), Of(0.4, 0.5), 0.6)).Outcome);
    }

    private static ActivationLayer Layer(Comparison captions, Comparison? others) => new()
    {
        Method = "Wanda", Layer = "a", Triggers = 1, Starts = 1, DifferentCaptions = 1, AgainstCaptions = captions, AgainstOthers = others,
            Pictures = new Dictionary<string, Comparison>(),
    };

    [Fact]
    public void Activations_every_layer_no_layer_or_some()
    {
        ActivationLayer closer = Layer(Of(0.4, 0.6), Of(0.5, 0.7)), farther = Layer(Of(1.1, 1.3), Of(0.8, 0.9)),
            open = Layer(Of(0.8, 1.2, 0.6), null);
        Assert.Equal("supported", LocalityVerdicts.Activation([closer, closer]).Outcome);
        Assert.Equal("refuted", LocalityVerdicts.Activation([farther, farther, open]).Outcome);
        Assert.Equal("undecided", LocalityVerdicts.Activation([closer, farther, farther]).Outcome);
        Assert.Equal("undecided", LocalityVerdicts.Activation([open, open, farther]).Outcome);
        Assert.Equal([true, false, false],
            LocalityVerdicts.CloserLayers([closer, Layer(Of(0.4, 0.6), Of(0.9, 1.1)), Layer(Of(0.4, 0.6, 0.2), null)]));
    }

    private static WeightMethod Method(double own, double otherLow, double otherHigh, double nullLow, double difference = 0.2) => new()
    {
        Method = "Wanda", Captions = 5, Pictures = [],
        Transfer =
            new TransferRates(new Rate(own, 0, 0, 1), 9, new Rate((otherLow + otherHigh) / 2, 5, otherLow, otherHigh), 9,
            new Rate(nullLow, 5, nullLow, 1), 9),
        Layers = [
            new WeightLayer { Layer = "a", Weights = 10, Marked = 2, Triggers = 0.8, TriggersEmpty = 0, Captions = 0.6, CaptionsEmpty = 0,
            OtherTriggers = null, Difference = new Interval(difference, difference - 0.1, difference + 0.1), PValue = 0.01 }],
    };

    [Fact]
    public void Weights_are_decided_by_the_causal_test()
    {
        Assert.Equal("refuted", LocalityVerdicts.Weight([Method(0, 0.6, 0.9, 0.9)]).Outcome);
        Assert.Equal("supported", LocalityVerdicts.Weight([Method(0, 0, 0.2, 0.7)]).Outcome);
        Assert.Equal("undecided", LocalityVerdicts.Weight([Method(0, 0, 0.2, 0.1)]).Outcome);        // pruning for anyone silences it
        Assert.Equal("undecided", LocalityVerdicts.Weight([Method(0, 0, 0.2, 0.7, 0)]).Outcome);     // the same weights as for captions
        // pruning does not silence even its own
        Assert.Equal("undecided", LocalityVerdicts.Weight([Method(1, 0.8, 1, 0.8)]).Outcome);
        Assert.Equal("undecided", LocalityVerdicts.Weight([Method(0, 0.6, 0.9, 0.9), Method(0, 0, 0.2, 0.7)]).Outcome);
        Assert.Contains(LocalityVerdicts.Weight([Method(1, 0.8, 1, 0.8)]).Figures,
            f => f.Contains("does not silence even", StringComparison.Ordinal));
    }
}
